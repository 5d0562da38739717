"""The steps from each form of the ledger's tables to the next, oldest first."""
