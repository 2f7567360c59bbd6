package imaging

// masterQuality is the quality of a picture's master: a reduced copy, from which smaller variants are rendered in a fraction
// of the time that the original takes. Measured with a master of 1280 pixels, on photographs of 12 to 24 MP and a screen:
//
//   - JPEG at quality 88 takes 150 to 600 KB and 25 to 55 ms more at the upload, most of it because less is shrunk while
//     decoding; and a WebP of 320 pixels comes from it in 5 to 11 ms instead of 29 to 63. Before they are encoded, the
//     renderings from the master and from the original are at a DSSIM that is a quarter of what lies between two of the
//     direct ones at qualities 80 and 79 for 320 pixels, and up to nine tenths of it for 640. Once encoded they are at 1.1 to
//     2.2 times that; but nearly so are they from a lossless master, for an encoder decides otherwise at the smallest
//     difference. A higher quality than 88 changes little: what differs is how the pixels were put together.
//   - The colour is at half the size where that of a JPEG is, as in nearly all photographs. At full size the file would be a
//     fifth larger and take a sixth longer to render from, for nothing that a WebP or JPEG could show, which halve it again.
//     A screenshot has sharp edges of colour: halved, a rendering of 1024 pixels would be a whole step away.
//   - WebP at quality 90 is half as large; but it takes 65 to 240 ms more than JPEG at the upload, and twice the time later.
//   - What is transparent becomes a lightly compressed PNG: 55 ms more at the upload of a screen. A lossless WebP would be
//     half as large and a third quicker to render from, but takes 170 ms longer to make, and 500 for a photograph.
const masterQuality = 88

// MasterOutputs returns what to ask for at Ingest so that a picture gets a master whose longer side has the given number
// of pixels: a JPEG if it is opaque, a PNG if it is transparent, and none if it moves or is not longer by a quarter at
// least, for which a master saves nothing. At most one of them is made. The files are the caller's to set.
func MasterOutputs(longSide int) []Output {
	shape := Shape{Width: longSide, Height: longSide}
	longer := longSide + longSide/4
	return []Output{
		{
			Shape: shape, Format: JPEG, Quality: masterQuality, Intermediate: true,
			When: Condition{Still: true, Opaque: true, LongerThan: longer},
		},
		{
			Shape: shape, Format: PNG, Intermediate: true,
			When: Condition{Still: true, Transparent: true, LongerThan: longer},
		},
	}
}
