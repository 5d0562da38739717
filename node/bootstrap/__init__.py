"""The composition root: turns settings into services; the only place that names concrete adapters.

Each process imports only what it needs: what loads Celery, or what a worker computes with, is imported in the functions
that need it.
"""
