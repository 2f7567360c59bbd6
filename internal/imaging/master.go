package imaging

// masterQuality is the quality of a picture's master: a reduced copy, from which smaller variants are rendered in a fraction of
// the time that the original takes. Measured on photographs of 12 to 24 MP with a master of 1280 pixels:
//
//   - JPEG without subsampling at quality 88 takes 150 to 600 KB and 10 ms more at the upload, and a WebP of 320 pixels
//     comes from it in 5 to 11 ms instead of 29 to 63. Before they are encoded, the renderings from the master and from the
//     original are at a DSSIM of 0.001 to 0.003, which is a half to a fifth of what lies between two of the direct ones at
//     qualities 80 and 79. A higher quality than 88 changes nothing: what differs is how the pixels were put together.
//   - Subsampled it is a fifth smaller and quicker, but at twice the distance for variants of 640 pixels and more.
//   - WebP at quality 90 is two thirds of the size; but it takes 100 to 250 ms more at the upload and twice the time later.
//   - What is transparent becomes a lightly compressed PNG. A lossless WebP would be half as large and a third quicker to
//     render from, but takes 200 to 500 ms at the upload, against 30.
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
