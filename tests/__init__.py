"""Tests, in the rooms of the code they test; tests/flows tells whole stories."""
