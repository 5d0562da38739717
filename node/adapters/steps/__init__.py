"""Unified Procedure Steps: the node's own worklist, and the steps that it performs for others."""
