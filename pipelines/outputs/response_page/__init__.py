"""One page that shows how a patient's disease responds, to a PACS that shows nothing else."""
