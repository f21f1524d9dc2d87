"""Files: the run store, Parquet tables, and the ledger of the files that jobs have made."""
