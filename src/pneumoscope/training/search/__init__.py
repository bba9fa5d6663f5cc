"""The search for good hyper-parameters: trials on folds of some patients, and other patients to judge the winner."""
