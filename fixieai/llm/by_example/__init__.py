"""Programming by example: what the few-shot model does with an agent's examples and one question.

words        a text as tokens, and how words are bent (case, number format, my/your)
alignment    which words of the actual text stand where words of the example stood
lists        "5 3 8" in a reply, "5, 3, and 8" in the answer
arithmetic   16 in the answer, because 5 + 3 + 8 were in the reply
arguments    words of a question that are what it is about, though they say little elsewhere
templates    a line of an example as its text with holes: which of its words come from where
filling      a template with the words of other texts in its holes
resemblance  how like an example's question another question is
exchanges    a question with its steps and its answer
examples     an exchange with its templates, ready to be imitated
book         all examples of an agent, and what they say next
"""
