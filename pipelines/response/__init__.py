"""What a lesion and a patient did over time: RECIST 1.1, progression pattern, resistance, follow-up."""
