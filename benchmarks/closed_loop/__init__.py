"""The closed loop in the simulated shop: a policy mails, the shop answers, the policy sees the answers and mails again.

Here: three policies on the same worlds (broadcast, rules, this product's daily plan) and what comes of them. The trial may
look at the simulator's truth to count; no policy does: each sees what a sender sees.
"""
