"""Integrations under development."""
