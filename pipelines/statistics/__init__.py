"""Estimators and tests, each checked against R: values in, values out."""
