use prost_reflect::FileDescriptor;

/// The comment before a definition, in one paragraph for each of its own; empty without one.
pub(super) fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    let proto = file.file_descriptor_proto();
    let locations = proto.source_code_info.as_ref();
    let found = locations
        .into_iter()
        .flat_map(|info| &info.location)
        .find(|location| location.path == path);
    let text = found.and_then(|location| location.leading_comments.as_deref());
    let paragraphs = text.unwrap_or_default().split("\n\n");
    let joined = paragraphs.map(|text| text.lines().map(str::trim).collect::<Vec<_>>().join(" "));
    let whole: Vec<String> = joined.map(|text| text.trim().to_owned()).collect();
    whole.join("\n\n")
}
