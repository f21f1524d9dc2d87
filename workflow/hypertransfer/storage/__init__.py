"""Files that outlive a process: the run store, Parquet tables, the ledger."""
