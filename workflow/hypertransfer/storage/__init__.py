"""The run store, Parquet tables, and the ledger of made files."""
