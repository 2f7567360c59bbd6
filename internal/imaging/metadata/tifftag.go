package metadata

// The tags that the walk has to know; tiffKept lists more.
const (
	tagSubfile      = 254
	tagOldSubfile   = 255
	tagWidth        = 256
	tagHeight       = 257
	tagCompression  = 259
	tagStripOffsets = 273
	tagOrientation  = 274
	tagStripLengths = 279
	tagTileOffsets  = 324
	tagTileLengths  = 325
	tagJPEGTables   = 347
	tagICCProfile   = 34675
)

// Kinds of compression.
const (
	oldJPEG = 6
	newJPEG = 7
)

// Kinds of numbers.
const (
	kindByte      = 1
	kindShort     = 3
	kindLong      = 4
	kindUndefined = 7
	kindLong8     = 16
)

// kindSize returns how many bytes a number takes; 0 for what is none.
func kindSize(kind uint16) int {
	switch kind {
	case kindByte, 6, kindUndefined:
		return 1
	case kindShort, 8:
		return 2
	case kindLong, 9, 11:
		return 4
	case 5, 10, 12, kindLong8:
		return 8
	}
	return 0
}

// tiffKept tells whether an entry is needed to decode a page or to show it as it is meant: its layout, its compression,
// its colours, its orientation and its resolution. There are no texts among them. The bound on the count is what makes
// sense of a tag, so that nothing else can hide behind it.
func tiffKept(tag, kind uint16, count uint64) bool {
	bytes := kind == kindByte || kind == kindUndefined
	whole := kind == kindByte || kind == kindShort || kind == kindLong || kind == kindLong8
	number := kindSize(kind) > 0 && kind != kindUndefined
	const samples, table = 1 << 16, 3 << 16
	switch tag {
	case tagSubfile, tagOldSubfile, tagWidth, tagHeight,
		tagCompression,
		262,            // photometric interpretation
		263,            // threshholding
		266,            // fill order
		tagOrientation, //
		277, 278,       // samples per pixel, rows per strip
		284,      // planar configuration
		290,      // unit of the grey response
		292, 293, // options of fax compressions
		296,      // unit of the resolution
		317,      // predictor
		322, 323, // size of tiles
		332, 334, // inks
		531,                 // position of colour samples
		32995, 32996, 32997: // alpha, kind of data and depth, as they were once written
		return whole && count == 1
	case 282, 283: // resolution
		return number && count == 1
	case 258, 280, 281, 338, 339, 340, 341: // for each sample: bits, extremes, meaning, format
		return number && count >= 1 && count <= samples
	case 291, 301, 320: // grey response, transfer function, colour map
		return kind == kindShort && count >= 1 && count <= table
	case 318, 319, 342, 529, 530, 532: // white point, primaries, range, coefficients, subsampling, black and white
		return number && count >= 1 && count <= 6
	case 336: // dots
		return whole && count >= 2 && count <= 2*samples
	case 50674: // of the LERC compression
		return whole && count <= 4
	case tagStripOffsets, tagStripLengths, tagTileOffsets, tagTileLengths:
		return (whole && kind != kindByte) && count >= 1 && count <= maxTIFFStrips
	case tagJPEGTables:
		return bytes && count >= 1 && count <= 1<<16
	case tagICCProfile:
		return bytes && count >= 1 && count <= 1<<24
	}
	return false
}
