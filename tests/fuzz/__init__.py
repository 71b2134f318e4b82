"""Mail that was broken on purpose, run through the real parse processes: `make fuzz`."""
