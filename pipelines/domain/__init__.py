"""The words of the field: values that are valid once they exist."""
