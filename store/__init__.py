"""The only room that knows SQLAlchemy: tables, transactions and one file per kind of row."""
