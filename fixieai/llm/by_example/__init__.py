"""Programming by example: what the few-shot model does with one example and one question.

words        a text as tokens, and how words are bent (case, number format, my/your)
alignment    which words of the actual text stand where words of the example stood
lists        "5 3 8" in a reply, "5, 3, and 8" in the answer
arithmetic   16 in the answer, because 5 + 3 + 8 were in the reply
templates    a line of an example as its text with holes, and how each hole is filled
exchanges    a question with its steps and its answer; how like it another question is
"""
