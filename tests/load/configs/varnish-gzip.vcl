vcl 4.1;

backend origin {
    .host = "127.0.0.1";
    .port = "{{backend_port}}";
}

sub vcl_backend_response {
    if (beresp.http.content-type ~ "json") {
        set beresp.do_gzip = true;
    }
}
