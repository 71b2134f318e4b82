"""Real peers as private instances: started by the test session, ended by it."""
