//! Wording for problems of `crate::field` with a line or a whole file of records.
//!
//! **Never** repeats a value of the file: any of them may be personal data.

use super::Language;
use crate::field::{Compression, Content, FileProblem, LineProblem};

/// What is wrong with a line and what to do about it.
#[must_use]
pub fn line_problem(problem: &LineProblem, language: Language) -> String {
    match language {
        Language::English => line_english(problem),
        Language::Chinese => line_chinese(problem),
    }
}

/// What is wrong with a file and what to do about it.
#[must_use]
pub fn file_problem(problem: &FileProblem, language: Language) -> String {
    match language {
        Language::English => file_english(problem),
        Language::Chinese => file_chinese(problem),
    }
}

fn line_english(problem: &LineProblem) -> String {
    match problem {
        LineProblem::Duplicate => "the field is given twice, or beside another of which only one \
            is possible; keep one"
            .to_owned(),
        LineProblem::Incomplete => {
            "the line ends in the middle of a JSON value; write each record on one line".to_owned()
        }
        LineProblem::NotAMember { expected } => format!(
            "not a member of this enum; write its name in full, one of `{}`",
            expected.join("`, `")
        ),
        LineProblem::NotAnObject => {
            "the line is not a JSON object; write each record as `{\"subject\": {…}}`".to_owned()
        }
        LineProblem::NotJson { column } => {
            format!("not JSON at column {column}; write each record as one JSON object on one line")
        }
        LineProblem::NotUtf8 { column } => {
            format!(
                "not UTF-8 at column {column}; convert the file to UTF-8, for example from GB18030"
            )
        }
        LineProblem::TooLong { limit } => {
            format!("the line has more than {limit} octets; write each record on a line of its own")
        }
        LineProblem::UnknownField { name: Some(name) } => format!(
            "there is no field `{name}`; use the names of the proto or their camelCase forms"
        ),
        LineProblem::UnknownField { name: None } => {
            "there is no such field; use the names of the proto or their camelCase forms".to_owned()
        }
        LineProblem::WrongType { column } => {
            format!(
                "{}a JSON value of another type is needed; see the proto for the type",
                at(*column)
            )
        }
        LineProblem::WrongValue { column } => format!(
            "{}the field cannot have this value; see the proto for its form (instants are written \
             `2026-01-31T00:00:00Z`)",
            at(*column)
        ),
    }
}

fn at(column: Option<usize>) -> String {
    column.map_or_else(String::new, |column| format!("up to column {column}: "))
}

fn line_chinese(problem: &LineProblem) -> String {
    match problem {
        LineProblem::Duplicate => {
            "该字段重复，或与只能取其一的另一字段同时出现；请只保留一个".to_owned()
        }
        LineProblem::Incomplete => "该行在 JSON 值中间结束；请将每条记录写在一行".to_owned(),
        LineProblem::NotAMember { expected } => {
            format!(
                "不是该枚举的成员；请写全名，可选：`{}`",
                expected.join("`、`")
            )
        }
        LineProblem::NotAnObject => {
            "该行不是 JSON 对象；每条记录请写作 `{\"subject\": {…}}`".to_owned()
        }
        LineProblem::NotJson { column } => {
            format!("第 {column} 列不是 JSON；请将每条记录写成一行一个 JSON 对象")
        }
        LineProblem::NotUtf8 { column } => {
            format!("第 {column} 列不是 UTF-8；请将文件转换为 UTF-8，例如从 GB18030 转换")
        }
        LineProblem::TooLong { limit } => {
            format!("该行超过 {limit} 字节；请将每条记录单独写成一行")
        }
        LineProblem::UnknownField { name: Some(name) } => {
            format!("没有字段 `{name}`；请使用 proto 中的字段名或其驼峰形式")
        }
        LineProblem::UnknownField { name: None } => {
            "没有该字段；请使用 proto 中的字段名或其驼峰形式".to_owned()
        }
        LineProblem::WrongType { column } => {
            format!("{}JSON 值的类型不符；类型见 proto", at_chinese(*column))
        }
        LineProblem::WrongValue { column } => format!(
            "{}该字段不能取此值；格式见 proto（时间写作 `2026-01-31T00:00:00Z`）",
            at_chinese(*column)
        ),
    }
}

fn at_chinese(column: Option<usize>) -> String {
    column.map_or_else(String::new, |column| format!("至第 {column} 列："))
}

fn file_english(problem: &FileProblem) -> String {
    match problem {
        FileProblem::Damaged { compression } => format!(
            "the {} data is damaged; lines before the damage were read; fetch the file anew and \
             import it again, which is safe",
            compression_name(*compression)
        ),
        FileProblem::Directory => "this is a directory; give a file in it".to_owned(),
        FileProblem::Empty => {
            "there is no record in the file; check that the export has run".to_owned()
        }
        FileProblem::Interrupted => "the stream of records broke off; lines before the break were \
            read; send them again, which is safe"
            .to_owned(),
        FileProblem::NotFound => "there is no such file; check the path".to_owned(),
        FileProblem::NotLines(content) => content_english(*content).to_owned(),
        FileProblem::PermissionDenied => {
            "the file may not be read by this user; change its permissions".to_owned()
        }
        FileProblem::TooLarge { limit } => format!(
            "the file decompresses to more than {limit} octets; split it, or raise the limit if it \
             is meant to be that large"
        ),
        FileProblem::Truncated { compression } => format!(
            "the {} data breaks off before its end; lines before the break were read; fetch the \
             file anew and import it again, which is safe",
            compression_name(*compression)
        ),
        FileProblem::Unreadable(kind) => {
            format!("the file cannot be read ({kind}); lines before this were read; check the disk")
        }
    }
}

fn content_english(content: Content) -> &'static str {
    match content {
        Content::Archive => {
            "the file is compressed with bzip2 or xz; decompress it, or compress it with gzip or zstd"
        }
        Content::Csv => {
            "the file looks like CSV; records are read as NDJSON, one JSON object a line; convert it"
        }
        Content::Image => "the file is an image; give an NDJSON file, one JSON object a line",
        Content::JsonArray => {
            "the file is one JSON array; write one record a line without brackets and commas, for \
             example with `jq -c '.[]'`"
        }
        Content::JsonPretty => {
            "the JSON objects are spread over several lines; write one record a line, for example \
             with `jq -c .`"
        }
        Content::Pdf => "the file is a PDF document; give an NDJSON file, one JSON object a line",
        Content::Sqlite => {
            "the file is an SQLite database; give an NDJSON file, one JSON object a line"
        }
        Content::Text => {
            "no line of the file is a JSON object; records are read as NDJSON, one JSON object a line"
        }
        Content::Utf16 => "the file is in UTF-16; convert it to UTF-8",
        Content::Zip => {
            "the file is a zip archive or an office document; unpack it, or export the sheet and \
             convert it to NDJSON, one JSON object a line"
        }
    }
}

fn file_chinese(problem: &FileProblem) -> String {
    match problem {
        FileProblem::Damaged { compression } => format!(
            "{} 数据已损坏；损坏之前的行已读取；请重新获取文件后再次导入，重复导入是安全的",
            compression_name(*compression)
        ),
        FileProblem::Directory => "这是目录；请指定其中的文件".to_owned(),
        FileProblem::Empty => "文件中没有记录；请检查导出是否已执行".to_owned(),
        FileProblem::Interrupted => {
            "记录流中断；中断之前的行已读取；请重新发送，重复发送是安全的".to_owned()
        }
        FileProblem::NotFound => "文件不存在；请检查路径".to_owned(),
        FileProblem::NotLines(content) => content_chinese(*content).to_owned(),
        FileProblem::PermissionDenied => "当前用户无权读取该文件；请更改权限".to_owned(),
        FileProblem::TooLarge { limit } => {
            format!("文件解压后超过 {limit} 字节；请拆分，如确需如此之大请提高上限")
        }
        FileProblem::Truncated { compression } => format!(
            "{} 数据不完整；中断之前的行已读取；请重新获取文件后再次导入，重复导入是安全的",
            compression_name(*compression)
        ),
        FileProblem::Unreadable(kind) => {
            format!("无法读取文件（{kind}）；此前的行已读取；请检查磁盘")
        }
    }
}

fn content_chinese(content: Content) -> &'static str {
    match content {
        Content::Archive => "文件以 bzip2 或 xz 压缩；请解压，或改用 gzip 或 zstd 压缩",
        Content::Csv => "文件看似 CSV；记录以 NDJSON 读取，每行一个 JSON 对象；请转换",
        Content::Image => "文件是图片；请提供 NDJSON 文件，每行一个 JSON 对象",
        Content::JsonArray => {
            "文件是一个 JSON 数组；请去掉方括号与逗号，每行写一条记录，例如使用 `jq -c '.[]'`"
        }
        Content::JsonPretty => "JSON 对象分成了多行；请每行写一条记录，例如使用 `jq -c .`",
        Content::Pdf => "文件是 PDF；请提供 NDJSON 文件，每行一个 JSON 对象",
        Content::Sqlite => "文件是 SQLite 数据库；请提供 NDJSON 文件，每行一个 JSON 对象",
        Content::Text => "文件中没有一行是 JSON 对象；记录以 NDJSON 读取，每行一个 JSON 对象",
        Content::Utf16 => "文件为 UTF-16 编码；请转换为 UTF-8",
        Content::Zip => {
            "文件是 zip 压缩包或办公文档；请解压，或导出表格并转换为 NDJSON，每行一个 JSON 对象"
        }
    }
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
    }
}
