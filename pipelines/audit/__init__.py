"""Whether published result tables agree with themselves."""
