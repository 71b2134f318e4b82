"""The functional core: values and decisions. Nothing in here reads, writes or waits."""
