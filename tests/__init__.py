"""Tests of the pcp integration."""
