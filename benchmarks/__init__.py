"""How fast the plugin is, always as a ratio to something measured beside it in the same run."""

CASES = ("startup", "lumped", "linear", "overhead", "attached", "netcons", "ranks", "replicas", "growth", "jaxley")
