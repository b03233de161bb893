//! Putting objects, large ones in parts.

use std::{fs::File, io::SeekFrom};

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart},
};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::{Error, ErrorKind, Objects, error::Asked};

/// An object that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Changes with the content.
    pub etag: Option<String>,
}

/// Up to here an object goes in one piece; also the size of a part, as in the legacy's client.
const PART: u64 = 8 << 20;
/// The protocol's bound.
const PARTS: u64 = 10_000;
/// What the store itself assumes when nothing is said. The client library would say otherwise.
const UNTYPED: &str = "binary/octet-stream";

impl Objects {
    /// Puts a file's whole content, wherever the file is positioned.
    pub async fn put_file(
        &self,
        bucket: &str,
        key: &str,
        file: File,
        content_type: Option<&str>,
    ) -> Result<Stored, Error> {
        let asked = Asked::of_object("writing", bucket, key);
        let disk = |error: std::io::Error| {
            asked.error(ErrorKind::Other, format!("the file to send: {error}"))
        };
        let mut file = tokio::fs::File::from_std(file);
        let size = file.seek(SeekFrom::End(0)).await.map_err(disk)?;
        file.rewind().await.map_err(disk)?;
        if size <= PART {
            let content = part(&mut file, size).await.map_err(disk)?;
            return self.put_bytes(bucket, key, content, content_type).await;
        }

        let started = self
            .client
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .content_type(content_type.unwrap_or(UNTYPED))
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        let upload = started
            .upload_id()
            .ok_or_else(|| asked.error(ErrorKind::Other, "the store gave no upload id"))?;
        let result = self.put_parts(bucket, key, upload, file, size).await;
        if result.is_err() {
            // Parts left behind cost money. If this fails too, the first error tells more.
            let _ = self
                .client
                .abort_multipart_upload()
                .bucket(bucket)
                .key(key)
                .upload_id(upload)
                .send()
                .await;
        }
        result
    }

    /// Puts a small object.
    pub async fn put_bytes(
        &self,
        bucket: &str,
        key: &str,
        content: Vec<u8>,
        content_type: Option<&str>,
    ) -> Result<Stored, Error> {
        let asked = Asked::of_object("writing", bucket, key);
        let size = content.len() as u64;
        let request = self
            .client
            .put_object()
            .bucket(bucket)
            .key(key)
            .content_type(content_type.unwrap_or(UNTYPED))
            .body(ByteStream::from(content));
        let put = request.send().await.map_err(|error| asked.failed(&error))?;
        Ok(Stored {
            size,
            etag: put.e_tag,
        })
    }

    async fn put_parts(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        mut file: tokio::fs::File,
        size: u64,
    ) -> Result<Stored, Error> {
        let asked = Asked::of_object("writing", bucket, key);
        let part_size = PART.max(size.div_ceil(PARTS));
        let mut done = CompletedMultipartUpload::builder();
        let mut left = size;
        let mut number = 1;
        while left > 0 {
            let length = part_size.min(left);
            let content = part(&mut file, length).await.map_err(|error| {
                asked.error(ErrorKind::Other, format!("the file to send: {error}"))
            })?;
            let put = self
                .client
                .upload_part()
                .bucket(bucket)
                .key(key)
                .upload_id(upload)
                .part_number(number)
                .body(ByteStream::from(content))
                .send()
                .await
                .map_err(|error| asked.failed(&error))?;
            done = done.parts(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(put.e_tag)
                    .set_checksum_crc32(put.checksum_crc32)
                    .build(),
            );
            left -= length;
            number += 1;
        }
        let put = self
            .client
            .complete_multipart_upload()
            .bucket(bucket)
            .key(key)
            .upload_id(upload)
            .multipart_upload(done.build())
            .send()
            .await
            .map_err(|error| asked.failed(&error))?;
        Ok(Stored {
            size,
            etag: put.e_tag,
        })
    }
}

/// The next `length` bytes; a file that shrank is an error.
async fn part(file: &mut tokio::fs::File, length: u64) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let read = file.take(length).read_to_end(&mut content).await?;
    if read as u64 == length {
        Ok(content)
    } else {
        Err(std::io::ErrorKind::UnexpectedEof.into())
    }
}
