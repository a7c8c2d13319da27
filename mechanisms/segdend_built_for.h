// What a processor must have to run the library, read in its file before it is loaded. Each build by segdend writes this
// anew (segdend_plugin/engine/mechanisms.py); so does nobody else, and then it is not known.
extern const char segdend_built_for[];
[[gnu::used]] const char segdend_built_for[] = "segdend was built for: ";
