"""How fast the plugin is, always as a ratio to something measured beside it in the same run."""

CASES = ("startup", "lumped", "overhead", "netcons", "ranks", "growth", "jaxley")
