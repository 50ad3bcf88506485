"""Deterministic simulation: the real ledger, keeper, engine and transport, for days."""
