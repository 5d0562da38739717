"""The verbs of the command line: their options and help; what they do is elsewhere."""
