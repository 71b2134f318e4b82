"""What an operator runs beside the daemon."""
