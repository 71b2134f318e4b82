"""The core, as tables: no fixtures, no files but mails."""
