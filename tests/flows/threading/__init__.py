"""Conversations between people and the help desk, written as their mail clients write."""
