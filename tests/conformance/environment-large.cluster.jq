# all but the text of one cause is as here
.state == "failed" and (.tasks |
    (.[0] | .state == "succeeded" and .attempts == 1 and
        (.value | length) == 131060) and
    (.[1] | .state == "failed" and .attempts == 1 and
        (.cause | test("^its values have [0-9]+ bytes; 917504 are the most"))))
