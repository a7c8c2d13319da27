"""Reading cell files: SWC, Neurolucida ASC, archives and the shipped catalogue."""
