"""The study of Huang et al. 2025: how widely lung cancer progresses under chemo-immunotherapy, and what follows."""
