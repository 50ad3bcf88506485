"""A coverage-guided fuzzer over all that reads datagrams. See README.md."""
