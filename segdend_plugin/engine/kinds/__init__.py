"""Kinds of cells: what each offers, accepts and costs, and its cells on this rank."""
