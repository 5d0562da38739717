"""What the commands do beyond one call of a service: processes, demo, doctor, submission, and how answers look."""
