"""The command line `hypertransfer`."""
