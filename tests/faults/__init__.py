"""The harness: real processes, broken on purpose, and a judge that joins all ledgers."""
