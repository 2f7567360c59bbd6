#include "internal.h"

/* A WebP goes to memory, where its encoder has it anyway: Go takes out the EXIF that libvips adds of its own. */
int
kadr_save(VipsObject *context, VipsImage *in, KadrOutput *output)
{
	int memory = output->format == KADR_WEBP;
	int whole_colour = output->intermediate && !output->subsampled;
	VipsTarget *target = memory ? vips_target_new_to_memory() : vips_target_new_to_descriptor(output->fd);
	int result = -1;

	(void) context;
	if (target == NULL)
		return -1;
	switch (output->format) {
	case KADR_JPEG:
		result = vips_jpegsave_target(in, target, "Q", output->quality, "interlace", !output->intermediate,
			"optimize_coding", !output->intermediate, "subsample_mode",
			whole_colour ? VIPS_FOREIGN_SUBSAMPLE_OFF : VIPS_FOREIGN_SUBSAMPLE_AUTO, "strip", TRUE, NULL);
		break;
	case KADR_PNG:
		result = vips_pngsave_target(in, target, "compression", output->intermediate ? 1 : output->effort, "filter",
			output->intermediate ? VIPS_FOREIGN_PNG_FILTER_SUB : VIPS_FOREIGN_PNG_FILTER_ALL, "strip", TRUE, NULL);
		break;
	case KADR_GIF:
		result = vips_gifsave_target(in, target, "effort", output->effort, "strip", TRUE, NULL);
		break;
	case KADR_WEBP:
		result = vips_webpsave_target(in, target, "Q", output->quality, "effort", output->effort, "strip", TRUE, NULL);
		break;
	case KADR_AVIF:
		result = vips_heifsave_target(in, target, "Q", output->quality, "effort", output->effort, "compression",
			VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "strip", TRUE, NULL);
		break;
	default:
		vips_error("kadr", "unknown output format %d", output->format);
	}
	if (!result && memory) {
		VipsBlob *blob;
		const void *data;
		g_object_get(target, "blob", &blob, NULL);
		data = vips_blob_get(blob, &output->length);
		output->data = g_memdup2(data, output->length);
		vips_area_unref(VIPS_AREA(blob));
	}
	g_object_unref(target);
	return result;
}
