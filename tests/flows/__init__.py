"""Stories: mails in, transcript out."""
