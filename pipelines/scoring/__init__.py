"""From the features of a patient's lesions to what a model says about the patient."""
