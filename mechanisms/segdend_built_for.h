// What a processor must have to run the library: segdend_plugin/engine/mechanisms.py writes it for each build.
#define SEGDEND_BUILT_FOR ""
