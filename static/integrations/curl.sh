#!/bin/sh
# Upload a picture, and get its direct link:
curl -sS -H 'Authorization: Bearer {{key}}' -F 'file=@picture.jpg' '{{base}}/api/v1/images?format=txt'

# The same, and get all that is known of it, as JSON:
curl -sS -H 'Authorization: Bearer {{key}}' -F 'file=@picture.jpg' '{{base}}/api/v1/images'

# With a title, for everybody to see:
curl -sS -H 'Authorization: Bearer {{key}}' -F 'file=@picture.jpg' -F 'title=Evening' -F 'visibility=public' '{{base}}/api/v1/images?format=txt'
