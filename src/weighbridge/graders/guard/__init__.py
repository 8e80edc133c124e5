"""The guard: a model of the Llama Guard family says "safe" or "unsafe" and in which of its categories. Import from `.grader`.

Takes prompts and answers, asks through what its caller gives it, gives grades. Each version has its own frame, codes and categories, as
data in `versions/`; a code without its version says nothing.
"""
