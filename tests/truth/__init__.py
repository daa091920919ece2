"""The campaign: histories at random, restored by real servers, held against what was predicted.

    make truth SEEDS=1-40 MAJOR=13,18       histories of these seeds, one of each major
    make truth SEED=7 MAJOR=16 REDUCE=1     the smallest history that still disagrees

A history is a plan made of its seed alone (`plan`): steps (`steps`, `backups`) that a server lives
through (`world`), and trials, which name their target and damage by the steps they are beside
(`aims`, `damages`). Each trial is predicted as pitr-check predicts it, then really restored
(`trial`), and the two compared. So a plan can lose steps and stay the same history otherwise:
`reduce`. What came of each is a line of `results.jsonl`, and docs/truth.md is made of them
(`report`).
"""
