"""Tests of the client: no Home Assistant, no network."""
