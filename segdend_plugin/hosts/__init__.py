"""The worlds that the plugin lives in."""
